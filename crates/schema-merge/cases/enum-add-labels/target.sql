alter type status add value 'archived';
