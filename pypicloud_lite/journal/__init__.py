"""The journal: who changed what, when, from where; appended to in the transaction of the change, never altered."""
