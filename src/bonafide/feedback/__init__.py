"""What people say of files, and what comes of it: items of the next dataset, and of the regression set."""
