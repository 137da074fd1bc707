// A shop: anyone reads the catalogue, each customer has a cart, addresses and a wish list of their own, and orders through a function.

import { anonymous, equal, fileRoundTrip, input, newUser, output, refused, succeeded } from './session.mjs';

const project = await input();
const visitor = anonymous(project);
const ada = await newUser(project, 'ada@example.com');
const bob = await newUser(project, 'bob@example.com');

const products = succeeded(
  'reading the catalogue without an account',
  await visitor.database.from('products').select('id, slug, price_cents, category:categories(slug)').eq('status', 'active').order('slug'),
);
equal('active products', products.length >= 10, true);
equal('embedded categories', products.every((product) => typeof product.category?.slug === 'string'), true);

const [wish] = succeeded(
  "Ada's wish",
  await ada.client.database.from('wishlists').insert([{ user_id: ada.user.id, product_id: products[0].id }]).select(),
);
equal('the owner of the wish', wish.user_id, ada.user.id);
refused("a wish in Ada's name by Bob", await bob.client.database.from('wishlists').insert([{ user_id: ada.user.id, product_id: products[1].id }]));
equal("what Bob sees of Ada's wishes", succeeded('reading as Bob', await bob.client.database.from('wishlists').select()), []);
equal('what Ada sees', succeeded('reading as Ada', await ada.client.database.from('wishlists').select('id')).map((row) => row.id), [wish.id]);
refused('a product made by a customer', await bob.client.database.from('products').insert([{ name: 'X', slug: 'x', sku: 'X', price_cents: 1 }]));

// Placing an order runs in the database: cart, stock and order lines in one transaction.
const [cart] = succeeded('a cart', await ada.client.database.from('shopping_carts').insert([{ user_id: ada.user.id }]).select());
equal('a new cart is active', cart.status, 'active');

const picture = new Uint8Array(70_000).map((_, index) => (index * 31) % 251);
const stored = await fileRoundTrip(ada.client, 'product-images', 'ada/lamp.bin', picture);

const refreshed = succeeded('a refresh', await ada.client.auth.refreshSession({ refreshToken: ada.refreshToken }));
equal('the refreshed user', refreshed.user.id, ada.user.id);
equal('wishes after the refresh', succeeded('reading', await ada.client.database.from('wishlists').select('id')).length, 1);

output({ ada: ada.user.id, bob: bob.user.id, wish: wish.id, products: products.length, file: stored.key, bytes: picture.length });
