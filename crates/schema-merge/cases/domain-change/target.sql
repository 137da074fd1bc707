alter domain email set default 'a@b';
