"""From a raw scan to a skull-stripped brain on the template grid, with ANTs."""
