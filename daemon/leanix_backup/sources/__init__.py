"""How each kind of export is had: request it, find ours, wait for it, fetch it.

SNAPSHOT, AUDIT_LOG and ARCHIVE go the same way, that of `full_export`; a kind that goes another gets a module of its
own here, with the same steps. The steps are apart so that whoever calls them can record each before the next: what is
done in one can't be taken back by another.
"""
