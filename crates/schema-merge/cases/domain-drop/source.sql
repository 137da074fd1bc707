drop domain d;
