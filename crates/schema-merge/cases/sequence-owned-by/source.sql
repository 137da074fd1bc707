alter sequence s1 owned by t.a; alter sequence s2 owned by t.b; alter sequence s3 owned by none;
