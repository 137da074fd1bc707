alter table notes alter mood set default 'low';
