-- The rows of the schema, the same for every case; run before each case that follows a write. Run as a superuser.
begin;
set local session_replication_role = replica;
-- Not deleted: where rows land among dead ones depends on when a page is pruned, and PostgREST answers writes in the order of the heap.
truncate
    directors, films, box_office, actors, castings, categories, film_categories, users, memberships,
    addresses, orders, events, bookings, documents, articles, typed, items, plain, keyless, "Odd Table",
    notes, hidden, partly, checked, extra.films, extra.parts,
    musicians, bands, gigs, citizens, residents, passports, hotels, sheets, readings, settings;
select setval('films_id_seq', 1, false), setval('items_id_seq', 1, false);
insert into directors values
    (1, 'Agnes Varda', '1928-05-30', 'https://varda.example/?a=1&b=2'), (2, 'Bong Joon-ho', '1969-09-14', null),
    (3, 'Chantal Akerman', '1950-06-06', ''), (4, 'Dario O''Neil, Jr.', null, null);
insert into films (title, year, rating, genre, director_id, tags, details, budget, adult, released, plot) values
    ('Cleo from 5 to 7', 1962, 7.8, 'drama', 1, '{paris,time}', '{"lang": "fr", "crew": [{"name": "Jean", "age": 30}, {"name": "Paul"}], "n": 1, "deep": {"a": {"b": "c"}}}', 200000, false, '1962-04-11 10:00+00', 'A singer waits for results.'),
    ('Parasite', 2019, 8.5, 'thriller', 2, '{family,class,"two words"}', '{"lang": "ko", "crew": [], "n": 2.5, "ok": true}', 11400000, false, '2019-05-30 08:30+00', 'A poor family moves in with a rich one.'),
    ('Jeanne Dielman', 1975, 7.5, 'drama', 3, '{brussels}', '{"lang": "fr", "n": null}', 120000, false, '1976-01-21 00:00+00', null),
    ('The Host', 2006, 7.1, 'thriller', 2, '{}', null, 9007199254740993, null, null, 'A monster emerges; a family fights.'),
    ('Vagabond', 1985, 7.6, null, 1, '{"a,b","quo\"te"}', '[1, "two", {"three": 3}]', null, true, '1985-12-04 23:59:59.5+00', ''),
    ('100% Wolf*_\', 2020, 5.7, 'animation', null, '{kids}', '"text"', 0, false, '2020-05-29 00:00+02', 'Quote " and comma, and (brackets).');
insert into box_office values (1, 50000), (2, 258000000.75);
insert into actors values (1, 'Corinne Marchand', '1931-12-04'), (2, 'Song Kang-ho', '1967-01-17'), (3, 'Delphine Seyrig', '1932-04-10'), (4, 'Nobody', null);
insert into castings values (1, 1, 'Cleo'), (2, 2, 'Ki-taek'), (4, 2, 'Gang-du'), (3, 3, 'Jeanne'), (2, 3, null);
insert into categories values (1, 'all', null), (2, 'art', 1), (3, 'popular', 1), (4, 'horror', 3);
insert into film_categories values (1, 2), (2, 2), (2, 3), (4, 4);
insert into users values (1, 1, 'Ann', 'ann@example.org', null, null), (1, 2, 'Bob', null, 1, 1), (2, 1, 'Cid', 'cid@example.org', 1, 1), (2, 2, 'Dee', null, 2, 1);
insert into memberships values (1, 1, 'chess', '2021-02-03'), (1, 1, 'go', default), (2, 1, 'chess', default);
insert into addresses values (1, 'Gent', '9000'), (2, 'Lille', '59000'), (3, 'Bonn', null);
insert into orders values (1, 'chair', 1, 2), (2, 'table', 2, 2), (3, 'lamp', null, 1);
insert into events values (1, '2023-02-01', 'screening', 1), (2, '2023-06-01', 'talk', 2), (3, '2024-01-01', 'screening', 1), (4, '2024-05-05', 'party', null);
insert into bookings values
    (1, '[1,5)', '[2024-01-01,2024-01-10)', '[2024-01-01 10:00,2024-01-01 12:00)', '[1.5,2.5]'),
    (2, '[5,9)', '[2024-01-10,2024-02-01)', '[2024-01-01 12:00,2024-01-01 13:00)', '(2.5,9)'),
    (3, 'empty', '(,2023-01-01)', null, null);
insert into documents values
    (1, '{"a": {"b": [10, 20, {"c": "deep"}]}, "s": "x", "n": 5, "key with space": 1}', '{"a": {"b": [10, 20, {"c": "deep"}]}, "s": "x", "n": 5, "t": true}'),
    (2, '[1, 2, 3]', '["p", "q"]'), (3, null, '{"a": null, "n": 50}'), (4, '{"a":   1,"a": 2}', '{"s": "y", "n": 6}');
insert into articles (id, title, body) values
    (1, 'Cats', 'The fat cats ate the rats'), (2, 'Dogs', 'A dog chased the cat up a tree'), (3, 'Fish', 'Fishing for compliments'), (4, 'None', null);
insert into typed values
    (1, 5, 'a@b', ('High', 'Gent'), '\xdeadbeef', '1 day 02:03:04', '2024-02-29', '13:14:15.5', '2024-02-29 13:14:15', '2024-02-29 13:14:15+02',
     'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '10.0.0.1/8', '1010', 12.30, 1.5, 2.25, 9223372036854775807, -3, true, 'ab', 'word', '{{1,2},{3,4}}', '{drama,comedy}', 'HaNdLe'),
    (2, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
insert into items (sku, name, price, shelf, slot) values ('a-1', 'nail', 0.1, 'A', 1), ('a-2', 'screw', 0.2, 'A', 2), ('b-1', 'bolt', null, 'B', 1);
insert into plain values (1, 'one', 'first', 1), (2, 'two', null, 2), (3, null, 'third', null);
insert into keyless values ('start', 1), ('stop', 2), ('start', 3);
insert into "Odd Table" values ('x', 1, 10, 1, 'ä'), ('y', 2, 20, 2, 'ö');
insert into notes values (1, 'user-a', 'of a'), (2, 'user-b', 'of b'), (3, 'public', 'of all');
insert into hidden values (1, 'shh');
insert into partly values (1, 'open', 'closed');
insert into checked values (1, 10, 1), (2, 20, 2);
insert into musicians values (1, 'Ella'), (2, 'Nina');
insert into bands values (1, 'Quartet'), (2, 'Trio');
insert into gigs values (1, 1, '2024-01-01'), (1, 1, '2024-01-02'), (2, 1, '2024-01-01'), (2, 2, '2024-01-03');
insert into citizens values (1, 'Ann'), (2, 'Bob');
insert into residents values (1, 'High'), (2, 'Low');
insert into passports values (1, 'P1'), (2, 'P2');
insert into hotels values (1, 4, null, 'ab', '1010', 'x ', '[2024-01-01 00:00+00,2024-01-02 00:00+00)');
insert into sheets values (1, 10, 20, 'v'), (2, null, null, null);
insert into readings values ('north', 1), ('north', 2), ('south', 1), ('south', 3);
insert into settings values (1, 'light');
insert into extra.films values (1, 'extra one'), (2, 'extra two');
insert into extra.parts values (1, 1, 5), (2, 1, 6), (3, 2, 7);
commit;
