"""What pages show, made of rows: values that templates only write down. Pure: nothing here asks the database."""
