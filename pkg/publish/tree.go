package publish

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Tree holds the items of one gateway group and hashes only what changed. It is
// not safe for concurrent use.
//
// It remembers what changed since Commit: the texts of changed parts, the hashes
// that came to be named and those that are named no longer. Compose makes an
// Update of it.
type Tree struct {
	group string
	parts [partCount]treePart
	refs  map[string]int      // sha -> items that name it
	fresh map[string]struct{} // named now, not at the last Commit
	gone  map[string]struct{} // lost their last item since the last Commit
}

type treePart struct {
	items []Item // sorted
	sum   [32]byte
	stale bool // sum is outdated
	dirty bool // changed since Commit
}

// NewTree makes an empty tree. The group is what roots and parts will bear.
func NewTree(group string) *Tree {
	return &Tree{group: group, refs: map[string]int{}, fresh: map[string]struct{}{}, gone: map[string]struct{}{}}
}

// Group is the group that the tree was made for.
func (t *Tree) Group() string { return t.group }

// Set adds an item or changes its hash. Errors: publish.item (see Item.Check).
func (t *Tree) Set(i Item) error {
	if err := i.Check(); err != nil {
		return err
	}
	p := &t.parts[partOf(i.key())]
	at, found := slices.BinarySearchFunc(p.items, i, compareItems)
	if found {
		if p.items[at].SHA == i.SHA {
			return nil
		}
		t.unref(p.items[at].SHA)
		p.items[at] = i
	} else {
		p.items = slices.Insert(p.items, at, i)
	}
	t.ref(i.SHA)
	p.stale, p.dirty = true, true
	return nil
}

// Delete removes an item; one that is not there is ignored.
func (t *Tree) Delete(org, kind, id string) {
	i := Item{Org: org, Kind: kind, ID: id}
	p := &t.parts[partOf(i.key())]
	at, found := slices.BinarySearchFunc(p.items, i, compareItems)
	if !found {
		return
	}
	t.unref(p.items[at].SHA)
	p.items = slices.Delete(p.items, at, at+1)
	p.stale, p.dirty = true, true
}

// Get returns an item.
func (t *Tree) Get(org, kind, id string) (Item, bool) {
	i := Item{Org: org, Kind: kind, ID: id}
	p := &t.parts[partOf(i.key())]
	at, found := slices.BinarySearchFunc(p.items, i, compareItems)
	if !found {
		return Item{}, false
	}
	return p.items[at], true
}

// Names tells whether an item has that hash.
func (t *Tree) Names(sha string) bool { return t.refs[sha] > 0 }

// Items yields every item, in the order of parts. The tree must not change meanwhile.
func (t *Tree) Items() iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for p := range t.parts {
			for _, i := range t.parts[p].items {
				if !yield(i) {
					return
				}
			}
		}
	}
}

// Root makes the root of the present items.
func (t *Tree) Root(epoch, generation int64, issuedAt time.Time) *Root {
	r := &Root{
		V: rootVersion, Epoch: epoch, Generation: generation, Group: t.group,
		IssuedAt: issuedAt.UTC().Truncate(time.Millisecond),
	}
	for i := range t.parts {
		p := &t.parts[i]
		if p.stale {
			p.sum, p.stale = [32]byte{}, false
			if text := t.PartText(i); text != nil {
				p.sum = sha256.Sum256(text)
			}
		}
		r.Parts[i] = p.sum
	}
	return r
}

// PartText is the text of part i (0 to 255); nil if it has no items.
func (t *Tree) PartText(i int) []byte { return encodePart(t.group, i, t.parts[i].items) }

// MarkAll makes the next Compose carry every part and every content, as a rebuild of
// an emptied Redis needs it.
func (t *Tree) MarkAll() {
	for i := range t.parts {
		t.parts[i].dirty = true
	}
	for sha := range t.refs {
		t.fresh[sha] = struct{}{}
	}
}

// Commit forgets what changed. Call it after an Update of the tree was taken, or
// was refused because Redis is ahead.
func (t *Tree) Commit() {
	for i := range t.parts {
		t.parts[i].dirty = false
	}
	clear(t.fresh)
	clear(t.gone)
}

func (t *Tree) ref(sha string) {
	t.refs[sha]++
	if t.refs[sha] == 1 {
		t.fresh[sha] = struct{}{}
		delete(t.gone, sha)
	}
}

func (t *Tree) unref(sha string) {
	if t.refs[sha]--; t.refs[sha] == 0 {
		delete(t.refs, sha)
		delete(t.fresh, sha)
		t.gone[sha] = struct{}{}
	}
}

// Update is one publication: the roots of all groups at one epoch and generation.
type Update struct {
	Epoch, Generation int64
	// Roots, one per group.
	Roots []*Root
	// Parts are the texts of the parts that may be missing in Redis: those that
	// changed, or all of them for a rebuild.
	Parts [][]byte
	// Contents are the texts of the items that may be missing in Redis, by hash.
	Contents map[string][]byte
	// Dropped are hashes that no root names any more. They get ten minutes.
	Dropped []string
}

// Compose makes the update of several groups' trees from what changed in them
// since Commit. text returns the text of a hash. Errors: publish.text_missing.
func Compose(epoch, generation int64, issuedAt time.Time, text func(sha string) ([]byte, bool), trees ...*Tree) (Update, error) {
	u := Update{Epoch: epoch, Generation: generation, Contents: map[string][]byte{}}
	dropped := map[string]struct{}{}
	for _, t := range trees {
		u.Roots = append(u.Roots, t.Root(epoch, generation, issuedAt))
		for i := range t.parts {
			if !t.parts[i].dirty {
				continue
			}
			if p := t.PartText(i); p != nil {
				u.Parts = append(u.Parts, p)
			}
		}
		for sha := range t.fresh {
			if _, ok := u.Contents[sha]; ok {
				continue
			}
			b, ok := text(sha)
			if !ok {
				return Update{}, fault.Wrap(fmt.Errorf("no text for %s", sha), fault.Internal, "publish.text_missing",
					"the text of an item of group %q is missing in the store, so nothing was published; restore the store's contents", t.group)
			}
			u.Contents[sha] = b
		}
		for sha := range t.gone {
			dropped[sha] = struct{}{}
		}
	}
	for sha := range dropped {
		if !slices.ContainsFunc(trees, func(t *Tree) bool { return t.Names(sha) }) {
			u.Dropped = append(u.Dropped, sha)
		}
	}
	slices.Sort(u.Dropped)
	return u, nil
}
