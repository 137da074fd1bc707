alter type status add value 'review' after 'draft'; alter type status add value 'first' before 'draft'; alter type status add value 'zero' before 'first';
