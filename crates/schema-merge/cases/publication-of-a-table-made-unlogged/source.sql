reset role; create publication news for table notes;
