package publish

import "github.com/sluice-gateway/sluice/pkg/apidef"

// With is the state that edits would lead to, for judging several changes together.
// It is valid as long as s is, which stays as it was. The revision is that of s; the
// changed objects have none yet.
func (s *State) With(edits []Edit) *State {
	next := &State{
		n: s.n, at: s.at, objects: map[Ref]Entry{}, orgs: s.orgs, index: s.index.Branch(), contents: s.contents,
		below: s, texts: map[string][]byte{},
	}
	for _, e := range edits {
		if e.Text == nil {
			next.objects[e.Ref] = Entry{Deleted: true}
			if e.Ref.Kind == KindAPI {
				next.index.Delete(e.Ref.Org, e.Ref.ID)
			}
			continue
		}
		sum, summary := Sum(e.Text), Summarise(e.Ref.ID, e.Text)
		next.texts[sum] = e.Text
		entry := Entry{SHA: sum, Name: summary.Name, Groups: summary.Groups}
		if e.Ref.Kind == KindAPI {
			next.index.Delete(e.Ref.Org, e.Ref.ID)
			if d, _ := apidef.DecodeStored(e.Text); d != nil {
				next.index.Put(e.Ref.Org, s.n+1, d)
				entry.uses = usesOf(e.Ref.Org, d)
			}
		}
		next.objects[e.Ref] = entry
	}
	return next
}
