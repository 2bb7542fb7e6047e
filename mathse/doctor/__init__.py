"""Look for what will fail before it does: libraries, keys, servers, disk, pictures, engines."""
