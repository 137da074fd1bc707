alter table notes alter mood type mood using mood::mood;
