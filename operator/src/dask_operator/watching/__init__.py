"""Where news comes from: the watches, the listings that check on them, and the plugins that watch beside them."""
