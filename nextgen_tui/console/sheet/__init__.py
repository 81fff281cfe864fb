"""Tables in the console: the data, the widget, the export."""
