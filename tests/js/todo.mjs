// A shared list without row-level security: whoever holds the anonymous key may use it.

import { anonymous, equal, fileRoundTrip, input, newUser, output, succeeded } from './session.mjs';

const project = await input();
const visitor = anonymous(project);
const ada = await newUser(project, 'ada@example.com');
const bob = await newUser(project, 'bob@example.com');

const [first] = succeeded('a first entry', await visitor.database.from('todo').insert([{ text: 'buy milk' }]).select());
equal('a new entry is open', first.is_completed, false);
succeeded('many entries', await ada.client.database.from('todo').insert(['a', 'b', 'c'].map((text) => ({ text }))));

const { count } = await bob.client.database.from('todo').select('*', { count: 'exact', head: true });
equal('the number of entries', count, 4);
const page = succeeded('a page', await bob.client.database.from('todo').select('text').in('text', ['a', 'b', 'c']).order('text', { ascending: false }).range(0, 1));
equal('the page', page, [{ text: 'c' }, { text: 'b' }]);

const [done] = succeeded('ticking off', await bob.client.database.from('todo').update({ is_completed: true }).eq('id', first.id).select());
equal('the entry is done', done.is_completed, true);
succeeded('removing', await visitor.database.from('todo').delete().eq('id', first.id));
const gone = await visitor.database.from('todo').select().eq('id', first.id).maybeSingle();
equal('the entry is gone', succeeded('looking for it', gone), null);

const note = new TextEncoder().encode('a note');
const stored = await fileRoundTrip(ada.client, 'todo-attachments', 'note with spaces.txt', note);

output({ ada: ada.user.id, bob: bob.user.id, rows: 3, file: stored.key, bytes: note.length });
