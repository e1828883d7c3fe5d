"""Outside providers over HTTP: of tax, of shipping rates, of what is known of VAT numbers."""
