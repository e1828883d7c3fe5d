"""Our payments held against the gateway's own report of what moved on our balance there."""
