package diff

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// pair is an item that both lists have, by its indexes.
type pair struct{ before, after int }

// lists compares two arrays: sets item by item, lists whose items have an identity
// by that, others by their longest common subsequence.
func (w *walker) lists(b, a *value, at place) {
	keys, known := b.list.keys, b.list.keys != nil || b.list.key
	if !known && !b.list.set {
		keys = guess(b, a)
		known = keys != nil
	}
	var pairs []pair
	if known || b.list.set {
		pairs = match(b, a, keys)
	} else {
		pairs = common(b, a)
	}
	w.items(b, a, pairs, keys, at)
}

// items tells removals, then additions, moves and changes in the later order.
func (w *walker) items(b, a *value, pairs []pair, keys [][]string, at place) {
	kept, from := map[int]bool{}, map[int]int{}
	for _, p := range pairs {
		kept[p.before], from[p.after] = true, p.before
	}
	for i, item := range b.items {
		if !kept[i] {
			w.add(Removed, at.item(i, i, called(item, keys, i)), item, nil)
		}
	}
	ordered := !b.list.set || b.list.keys != nil // items that change are found by their places
	stays := rising(pairs)
	for i, item := range a.items {
		old, had := from[i]
		if !had {
			w.add(Added, at.item(i, i, called(item, keys, i)), nil, item)
			continue
		}
		here := at.item(old, i, called(b.items[old], keys, i))
		if ordered && !stays[i] {
			w.moved(here, b.items[old], old, i)
		}
		w.compare(b.items[old], item, here)
	}
}

// match pairs items that are equal, then those with the same identity, by the first
// keys that say it. What has the same identity as another item of its list is not
// paired by it.
func match(b, a *value, keys [][]string) []pair {
	var pairs []pair
	usedBefore, usedAfter := map[int]bool{}, map[int]bool{}
	by := func(key func(*value) string, twice bool) {
		where := map[string][]int{}
		for i, item := range b.items {
			if k := key(item); !usedBefore[i] && k != "" {
				where[k] = append(where[k], i)
			}
		}
		seen := map[string]int{}
		for i, item := range a.items {
			if k := key(item); !usedAfter[i] && k != "" {
				seen[k]++
			}
		}
		for i, item := range a.items {
			k := key(item)
			if usedAfter[i] || k == "" || len(where[k]) == 0 || !twice && (len(where[k]) > 1 || seen[k] > 1) {
				continue
			}
			old := where[k][0]
			where[k] = where[k][1:]
			usedBefore[old], usedAfter[i] = true, true
			pairs = append(pairs, pair{old, i})
		}
	}
	by(func(v *value) string { return string(v.sum[:]) }, true)
	for _, k := range keys {
		by(func(v *value) string { return identity(v, k) }, false)
	}
	if b.list.key {
		by(func(v *value) string { return strings.Join(v.names, ",") }, false)
	}
	slices.SortFunc(pairs, func(x, y pair) int { return x.after - y.after })
	return pairs
}

// identity joins the members that say which item it is; "" where one says nothing
// of it.
func identity(v *value, keys []string) string {
	if v.kind != strictjson.Object {
		return ""
	}
	var parts []string
	for _, k := range keys {
		text := ""
		if m := v.member(k); m != nil {
			if m.secret {
				return ""
			}
			text = m.text
			if m.kind == strictjson.Array {
				text = joined(m)
			}
		}
		parts = append(parts, strings.ReplaceAll(text, " ", "\x00"))
	}
	return strings.Trim(strings.Join(parts, " "), " ")
}

func joined(v *value) string {
	var texts []string
	for _, i := range v.items {
		texts = append(texts, i.text)
	}
	if v.list.set {
		slices.Sort(texts)
	}
	return strings.Join(texts, ",")
}

// guess looks for a member that names every object of both lists.
func guess(b, a *value) [][]string {
	for _, name := range []string{"id", "name", "url"} {
		if names(b, name) && names(a, name) {
			return [][]string{{name}}
		}
	}
	return nil
}

func names(list *value, name string) bool {
	seen := map[string]bool{}
	for _, item := range list.items {
		k := identity(item, []string{name})
		if k == "" || seen[k] {
			return false
		}
		seen[k] = true
	}
	return true
}

// most bounds the work for one list without identities; beyond it the middle of
// longer lists counts as replaced.
const most = 4_000_000

// common pairs the longest common subsequence, and within what lies between its
// parts one item with another as far as both have some.
func common(b, a *value) []pair {
	start := 0
	for start < len(b.items) && start < len(a.items) && b.items[start].sum == a.items[start].sum {
		start++
	}
	endB, endA := len(b.items), len(a.items)
	for endB > start && endA > start && b.items[endB-1].sum == a.items[endA-1].sum {
		endB, endA = endB-1, endA-1
	}
	var pairs []pair
	for i := range start {
		pairs = append(pairs, pair{i, i})
	}
	lastB, lastA := start, start
	between := func(toB, toA int) {
		for lastB < toB && lastA < toA {
			pairs = append(pairs, pair{lastB, lastA})
			lastB, lastA = lastB+1, lastA+1
		}
	}
	for _, p := range longest(b.items[start:endB], a.items[start:endA]) {
		between(start+p.before, start+p.after)
		pairs = append(pairs, pair{start + p.before, start + p.after})
		lastB, lastA = start+p.before+1, start+p.after+1
	}
	between(endB, endA)
	for i := range len(b.items) - endB {
		pairs = append(pairs, pair{endB + i, endA + i})
	}
	return pairs
}

// longest is the longest common subsequence by dynamic programming.
func longest(b, a []*value) (pairs []pair) {
	if len(b) == 0 || len(a) == 0 || len(b) > most/len(a) {
		return nil
	}
	width := len(a) + 1
	length := make([]int32, (len(b)+1)*width)
	for i := len(b) - 1; i >= 0; i-- {
		for k := len(a) - 1; k >= 0; k-- {
			if b[i].sum == a[k].sum {
				length[i*width+k] = length[(i+1)*width+k+1] + 1
			} else {
				length[i*width+k] = max(length[(i+1)*width+k], length[i*width+k+1])
			}
		}
	}
	for i, k := 0, 0; i < len(b) && k < len(a); {
		switch {
		case b[i].sum == a[k].sum:
			pairs = append(pairs, pair{i, k})
			i, k = i+1, k+1
		case length[(i+1)*width+k] >= length[i*width+k+1]:
			i++
		default:
			k++
		}
	}
	return pairs
}

// rising are the later indexes of the longest run of pairs, by their later order,
// whose earlier indexes rise: these items need not move. Pairs come in later order.
func rising(pairs []pair) map[int]bool {
	var tails []int // of runs of each length: the pair that ends it lowest
	before := make([]int, len(pairs))
	for i, p := range pairs {
		at, _ := slices.BinarySearchFunc(tails, p.before, func(t, target int) int { return pairs[t].before - target })
		before[i] = -1
		if at > 0 {
			before[i] = tails[at-1]
		}
		if at == len(tails) {
			tails = append(tails, i)
		} else {
			tails[at] = i
		}
	}
	stays := map[int]bool{}
	if len(tails) > 0 {
		for i := tails[len(tails)-1]; i >= 0; i = before[i] {
			stays[pairs[i].after] = true
		}
	}
	return stays
}
