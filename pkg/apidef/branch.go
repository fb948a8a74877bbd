package apidef

// Branch is an index that sees everything that x knows, and keeps to itself what is
// put or deleted in it: for judging several changes together before they are made.
// It counts as long as x does not change. A branch has no branches of its own.
func (x *Index) Branch() *Index {
	b := NewIndex()
	b.below, b.hidden = x, map[owner]bool{}
	return b
}

// layers are the indexes to search: x, and the one that it is a branch of.
func (x *Index) layers() []*Index {
	if x.below == nil {
		return []*Index{x}
	}
	return []*Index{x, x.below}
}

// hides tells whether a branch knows better about an entry of the index below.
func (x *Index) hides(e *entry) bool { return x.hidden[e.owner] && x.entries[e.owner] != e }

// hide keeps an entry of the index below from being seen.
func (x *Index) hide(o owner) {
	if x.below != nil {
		x.hidden[o] = true
	}
}
