"""What every route shares: authentication, problems, limits, ids, paging."""
