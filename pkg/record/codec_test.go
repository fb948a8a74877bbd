package record

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// full has a value in every field; a field that this forgets fails the test below.
func full() *Record {
	capture := func(body string) *Capture {
		return &Capture{
			Header: []Field{{"Content-Type", "application/json"}, {"X-Empty", ""}},
			Body:   []byte(body), Size: 70_000, Truncated: true,
		}
	}
	return &Record{
		At: time.Date(2026, 11, 21, 10, 20, 30, 456_789_000, time.UTC), Total: 12_345 * time.Microsecond, Upstream: 11 * time.Millisecond,
		Status: 503, Method: "POST", Scheme: "https", Host: "api.example.com", Path: "/orders/17/주문", Query: "a=1&b=%20",
		Org: "default", API: "orders", Version: "v2", Endpoint: "create", Route: "/orders/{id}", Key: "k-17", KeyAlias: "mobile",
		OAuthClient: "app", Policies: []string{"gold", "eu"}, Tags: []string{"channel:web", ""}, Client: "192.0.2.7", Country: "KR",
		UserAgent: "curl/8.5", Protocol: "1.1", RequestID: "0199a1", TraceID: strings.Repeat("ab", 16), BytesIn: 120, BytesOut: 5_000_000_000,
		Target: "http://10.0.0.1:8080", Attempts: 2, Refusal: "upstream.timeout", Error: "no answer in 10 s", Generation: 129,
		Flags: Retried | UpstreamTo, Sample: 0.25, Request: capture(`{"a":1}`), Response: capture(`{"b":2}`),
	}
}

func TestEveryFieldTravels(t *testing.T) {
	r := full()
	v := reflect.ValueOf(*r)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("the test has no value for %s", v.Type().Field(i).Name)
		}
	}
	var got Record
	if err := got.Decode(r.Append(nil)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&got, r) {
		t.Errorf("got  %+v\nwant %+v", got, *r)
	}
	if err := got.Decode(nil); err != nil || got.Path != "" || len(got.Tags) != 0 || got.Request != nil {
		t.Errorf("an empty record left %+v, %v", got, err)
	}
}

// TestProtoFileIsTheCode reads the record with an independent implementation and
// compares field numbers and wire types with record.proto.
func TestProtoFileIsTheCode(t *testing.T) {
	text, err := os.ReadFile("record.proto")
	if err != nil {
		t.Fatal(err)
	}
	body := string(text[bytes.Index(text, []byte("message Record")):])
	body = body[:strings.Index(body, "}")]
	want := map[protowire.Number]protowire.Type{}
	for _, m := range regexp.MustCompile(`(?m)^  (?:repeated )?(\w+) \w+ = (\d+);`).FindAllStringSubmatch(body, -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		kind := map[string]protowire.Type{"uint64": protowire.VarintType, "uint32": protowire.VarintType, "double": protowire.Fixed64Type}
		k, number := kind[m[1]]
		if !number {
			k = protowire.BytesType
		}
		want[protowire.Number(n)] = k
	}
	got := map[protowire.Number]protowire.Type{}
	for b := full().Append(nil); len(b) > 0; {
		num, _, n := protowire.ConsumeField(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		_, typ, _ := protowire.ConsumeTag(b)
		got[num], b = typ, b[n:]
	}
	if len(want) != 36 || !reflect.DeepEqual(got, want) {
		t.Errorf("the code writes %v, record.proto says %v", got, want)
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	b := full().Append(nil)
	b = protowire.AppendTag(b, 900, protowire.BytesType)
	b = protowire.AppendString(b, "from a newer gateway")
	b = protowire.AppendTag(b, 901, protowire.Fixed32Type)
	b = protowire.AppendFixed32(b, 7)
	b = protowire.AppendTag(b, 902, protowire.VarintType)
	b = protowire.AppendVarint(b, math.MaxUint64)
	// A known number with another type is unknown too.
	b = protowire.AppendTag(b, 5, protowire.VarintType)
	b = protowire.AppendVarint(b, 3)
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendString(b, "x")
	var got Record
	if err := got.Decode(b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&got, full()) {
		t.Errorf("got %+v", got)
	}
}

func TestMalformedIsRefused(t *testing.T) {
	for name, b := range map[string][]byte{
		"field zero":            {0x00, 0x01},
		"group":                 {1<<3 | 3},
		"length past the end":   {5<<3 | 2, 10, 'a'},
		"huge length":           append([]byte{5<<3 | 2}, protowire.AppendVarint(nil, math.MaxUint64)...),
		"number without an end": {1 << 3, 0x80},
		"number of eleven":      append([]byte{1 << 3}, bytes.Repeat([]byte{0xff}, 11)...),
		"half a double":         {34<<3&0x7f | 0x80 | 1, 34 >> 4, 1, 2, 3},
		"inner message":         append(protowire.AppendTag(nil, 35, protowire.BytesType), 2, 0x12, 9),
	} {
		t.Run(name, func(t *testing.T) {
			var r Record
			if err := r.Decode(b); err == nil {
				t.Errorf("%x was read as %+v", b, r)
			}
		})
	}
}

func TestHostileNumbersStayInRange(t *testing.T) {
	var b []byte
	for _, field := range []protowire.Number{1, 2, 3, 4, 26, 27, 29, 32, 33} {
		b = protowire.AppendTag(b, field, protowire.VarintType)
		b = protowire.AppendVarint(b, math.MaxUint64)
	}
	b = protowire.AppendTag(b, 34, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(math.Inf(1)))
	var r Record
	if err := r.Decode(b); err != nil {
		t.Fatal(err)
	}
	if r.Total < 0 || r.Upstream < 0 || r.Status < 0 || r.BytesIn < 0 || r.BytesOut < 0 || r.Attempts < 0 || r.Generation < 0 || r.Sample != 0 {
		t.Errorf("%+v", r)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(full().Append(nil))
	f.Add([]byte{1 << 3, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Record
		if r.Decode(b) != nil {
			return
		}
		// What was read is written and read again without a change.
		once := r.Append(nil)
		var again Record
		if err := again.Decode(once); err != nil {
			t.Fatalf("own bytes: %v", err)
		}
		if twice := again.Append(nil); !bytes.Equal(once, twice) {
			t.Fatalf("%x\n%x", once, twice)
		}
		for rest := once; len(rest) > 0; {
			_, _, n := protowire.ConsumeField(rest)
			if n < 0 {
				t.Fatalf("another reader: %v", protowire.ParseError(n))
			}
			rest = rest[n:]
		}
	})
}

// sample is the i-th record of traffic like a real one: few APIs and keys, unique
// paths, ids and addresses, no bodies.
func sample(i int) *Record {
	return &Record{
		At: time.UnixMicro(1_795_000_000_000_000 + int64(i)*97), Total: time.Duration(1000+i*7919%90_000) * time.Microsecond,
		Upstream: time.Duration(900+i*7919%90_000) * time.Microsecond, Status: 200, Method: "GET", Scheme: "https", Host: "api.example.com",
		Path: fmt.Sprintf("/orders/%d/items/%d", i*2654435761%1_000_000, i%17), Org: "default", API: fmt.Sprintf("orders-%d", i%50),
		Endpoint: "get-item", Route: "/orders/{id}/items/{item}", Key: fmt.Sprintf("key-%05d", i*i%5000), KeyAlias: "mobile app",
		Client: fmt.Sprintf("203.0.%d.%d", i*31%256, i*17%256), UserAgent: "okhttp/4.12.0", Protocol: "1.1",
		RequestID: fmt.Sprintf("%016x%08x", uint64(i)*0x9e3779b97f4a7c15, i), TraceID: fmt.Sprintf("%016x%016x", uint64(i)*0xbf58476d1ce4e5b9, uint64(i)*0x94d049bb133111eb),
		BytesOut: int64(200 + i%4000), Target: "http://10.0.0.1:8080", Attempts: 1, Generation: 129,
	}
}

func TestEncodingDoesNotAllocate(t *testing.T) {
	r, b := sample(3), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { b = r.Append(b[:0]) }); n != 0 {
		t.Errorf("%v allocations for one record", n)
	}
	var into Record
	if n := testing.AllocsPerRun(100, func() {
		if err := into.Decode(b); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("%v allocations to read one record", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	r, buf := sample(3), make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = r.Append(buf[:0])
	}
	b.ReportMetric(float64(len(buf)), "B/record")
}

func BenchmarkDecode(b *testing.B) {
	buf := sample(3).Append(nil)
	var r Record
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Decode(buf); err != nil {
			b.Fatal(err)
		}
	}
}
