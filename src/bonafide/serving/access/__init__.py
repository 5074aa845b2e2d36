"""Who may do what: accounts in a browser, keys of programs, links that were shared."""
