alter type person rename attribute name to full_name cascade;
