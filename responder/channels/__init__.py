"""Reply channels: one file per platform that a reply can leave through."""
