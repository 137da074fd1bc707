alter domain known drop not null;
