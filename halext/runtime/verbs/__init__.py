"""The verbs of `/hx`: one file per noun; importing them fills the table in `runtime.operations`."""
