package route

import (
	"hash/maphash"
	"iter"
)

// pmap is a persistent map from strings: a changed copy shares what did not
// change, so that a reload costs what changed and not what there is. Small maps
// are one list; larger ones are spread over 4 096 buckets in two levels. The zero
// value is empty. Reading needs no lock.
type pmap[V any] struct {
	seed  maphash.Seed
	few   []entry[V] // while there are at most fewEntries
	top   *[fan]*[fan][]entry[V]
	count int
}

type entry[V any] struct {
	key   string
	value V
}

const (
	fan        = 64
	fewEntries = 8
)

// get returns the value of key.
func (m *pmap[V]) get(key string) (v V, ok bool) {
	list := m.few
	if m.top != nil {
		i, j := m.place(key)
		if m.top[i] == nil {
			return v, false
		}
		list = m.top[i][j]
	}
	for k := range list {
		if list[k].key == key {
			return list[k].value, true
		}
	}
	return v, false
}

// with returns a copy in which key has the value.
func (m pmap[V]) with(key string, v V) pmap[V] {
	if m.top == nil && m.count < fewEntries {
		var grew bool
		m.few, grew = put(m.few, key, v)
		m.count += btoi(grew)
		return m
	}
	if m.top == nil {
		m.spread()
	}
	list := m.own(key)
	var grew bool
	*list, grew = put(*list, key, v)
	m.count += btoi(grew)
	return m
}

// without returns a copy without key.
func (m pmap[V]) without(key string) pmap[V] {
	if _, ok := m.get(key); !ok {
		return m
	}
	m.count--
	if m.top == nil {
		m.few = drop(m.few, key)
		return m
	}
	list := m.own(key)
	*list = drop(*list, key)
	return m
}

// all yields every entry, in no order.
func (m *pmap[V]) all() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, e := range m.few {
			if !yield(e.key, e.value) {
				return
			}
		}
		if m.top == nil {
			return
		}
		for _, level := range m.top {
			if level == nil {
				continue
			}
			for _, list := range level {
				for _, e := range list {
					if !yield(e.key, e.value) {
						return
					}
				}
			}
		}
	}
}

func (m *pmap[V]) len() int { return m.count }

// spread moves a small map into buckets.
func (m *pmap[V]) spread() {
	m.seed = maphash.MakeSeed()
	m.top = new([fan]*[fan][]entry[V])
	for _, e := range m.few {
		i, j := m.place(e.key)
		if m.top[i] == nil {
			m.top[i] = new([fan][]entry[V])
		}
		m.top[i][j] = append(m.top[i][j], e)
	}
	m.few = nil
}

// own copies the path to key's bucket, so that it may be changed.
func (m *pmap[V]) own(key string) *[]entry[V] {
	top := *m.top
	m.top = &top
	i, j := m.place(key)
	level := new([fan][]entry[V])
	if top[i] != nil {
		*level = *top[i]
	}
	top[i] = level
	return &level[j]
}

func (m *pmap[V]) place(key string) (int, int) {
	h := maphash.String(m.seed, key)
	return int(h % fan), int(h / fan % fan)
}

func put[V any](list []entry[V], key string, v V) ([]entry[V], bool) {
	out := make([]entry[V], len(list), len(list)+1)
	copy(out, list)
	for i := range out {
		if out[i].key == key {
			out[i].value = v
			return out, false
		}
	}
	return append(out, entry[V]{key, v}), true
}

func drop[V any](list []entry[V], key string) []entry[V] {
	out := make([]entry[V], 0, len(list))
	for _, e := range list {
		if e.key != key {
			out = append(out, e)
		}
	}
	return out
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
