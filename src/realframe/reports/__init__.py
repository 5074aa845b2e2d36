"""Write the HTML reports, the plots, the model card and the data card."""
