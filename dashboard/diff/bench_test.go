package diff

import "testing"

func BenchmarkTexts(b *testing.B) {
	rules := NewRules()
	before := []byte(`{"id":"orders","name":"Orders","listen":{"path":"/orders"},"upstream":{"targets":[{"url":"http://a"}]},"filters":{"auth":{"open":true}}}`)
	after := []byte(`{"id":"orders","name":"Orders 2","listen":{"path":"/orders"},"upstream":{"targets":[{"url":"http://a","weight":2}]},"filters":{"auth":{"open":true}}}`)
	for b.Loop() {
		if len(rules.Texts("api", before, after)) != 2 {
			b.Fatal("wrong")
		}
	}
}
