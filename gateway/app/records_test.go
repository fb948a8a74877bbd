package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/logs"
	"github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// define publishes an API with these filters.
func (b *bench) define(id, filters string) {
	text := fmt.Sprintf(`{"id":%q,"name":"API %s","listen":{"path":"/%s/"},"upstream":{"targets":[{"url":%q}]},"filters":%s,"endpoints":[{"id":"one","path":"/items/{id}"}]}`,
		id, id, id, b.origin.URL, filters)
	sum := sha256.Sum256([]byte(text))
	sha := hex.EncodeToString(sum[:])
	b.texts[sha] = []byte(text)
	if err := b.tree.Set(publish.Item{Org: "default", Kind: "api", ID: id, SHA: sha}); err != nil {
		b.t.Fatal(err)
	}
}

// tail reads all records of the streams, as a sink does.
type tail struct {
	t       *testing.T
	readers []*spool.Reader
	list    []record.Entry
}

func (b *bench) tail() *tail {
	t := &tail{t: b.t}
	for shard := range b.config.Records.Shards {
		r, err := spool.NewReader(b.redis.Client(), shard, spool.ReaderOptions{Group: "test", Consumer: "one", Block: -1})
		if err != nil {
			b.t.Fatal(err)
		}
		t.readers = append(t.readers, r)
	}
	return t
}

// until reads until a record fits, and returns it.
func (t *tail) until(what string, fits func(record.Entry) bool) record.Entry {
	t.t.Helper()
	ctx := testenv.Context(t.t, 20*time.Second)
	at := -1
	testenv.EventuallyNoError(t.t, 15*time.Second, func() error {
		t.read(ctx)
		if at = slices.IndexFunc(t.list, fits); at < 0 {
			return fmt.Errorf("%s is not among %d records", what, len(t.list))
		}
		return nil
	})
	return t.list[at]
}

func (t *tail) read(ctx context.Context) {
	for _, r := range t.readers {
		batches, err := r.Read(ctx)
		if err != nil {
			t.t.Log(err)
			continue
		}
		for _, b := range batches {
			for i, rec := range b.Records {
				t.list = append(t.list, record.Entry{ID: b.RecordID(i), Node: b.Node, Group: b.Group, Record: rec})
			}
		}
		if err := r.Ack(ctx, batches...); err != nil {
			t.t.Error(err)
		}
	}
}

func (r *running) do(method, target, body string, header ...string) int {
	r.t.Helper()
	req, err := http.NewRequest(method, "http://"+r.Addr()+target, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func TestCallsReachTheStreams(t *testing.T) {
	b := newBench(t)
	b.config.Records.FlushEvery = 20 * time.Millisecond
	b.define("orders", `{"auth":{"open":true},"record":{"tags":["header:X-Channel"],"bodies":{"until":"2126-01-01T00:00:00Z","mask":["$.pin"]}}}`)
	b.define("k", `{"auth":{"any":[{"key":{"in":[{"query":"api_key"}]}}]}}`)
	b.publish(b.keys)
	b.key(1, "custom-secret-1", false)
	gw := b.start()
	gw.until(5*time.Second, "/orders/ready", "", 200)
	gw.until(5*time.Second, "/k/ready?api_key=custom-secret-1", "", 200)
	seen := b.tail()

	gw.do("POST", "/orders/items/7?x=1", `{"pin":"1234","a":1}`, "X-Channel", "web", "User-Agent", "test/1", "Content-Type", "application/json", "Authorization", "Basic s3cret")
	e := seen.until("the call", func(e record.Entry) bool { return e.Method == "POST" })
	if e.API != "orders" || e.Org != "default" || e.Endpoint != "one" || e.Route != "/items/{id}" || e.Path != "/orders/items/7" || e.Query != "x=1" || e.Status != 200 ||
		e.Generation != 1 || e.Client != "127.0.0.1" || e.UserAgent != "test/1" || e.BytesIn != 20 || e.BytesOut != 6 || e.Target != b.origin.URL || e.Attempts != 1 ||
		e.Upstream <= 0 || e.Total < e.Upstream || !slices.Equal(e.Tags, []string{"x-channel:web"}) || len(e.RequestID) != 20 || e.Group != "default" || e.Node == "" {
		t.Errorf("%+v", e)
	}
	if e.Request == nil || string(e.Request.Body) != `{"pin":"***","a":1}` || e.Request.Truncated || !slices.Contains(e.Request.Header, record.Field{Name: "Authorization", Value: "***"}) {
		t.Errorf("%+v", e.Request)
	}
	// plain text: a mask with paths cannot tell what is in it
	if e.Response == nil || len(e.Response.Body) != 0 || e.Response.Size != 6 || e.Response.Truncated {
		t.Errorf("%+v", e.Response)
	}
	beats, err := fleet.NewReader(b.redis.Client(), b.keys).List(testenv.Context(t, 5*time.Second))
	if err != nil || len(beats) != 1 || !strings.HasPrefix(e.ID, beats[0].Start+"-") {
		t.Errorf("record %s, beats %+v %v", e.ID, beats, err)
	}

	gw.do("GET", "/k/items/1?api_key=custom-secret-1&a=2", "")
	if e := seen.until("the call with a key", func(e record.Entry) bool { return e.API == "k" && e.Path == "/k/items/1" }); e.Key != "k_1" || e.KeyAlias != "a" || e.Query != "api_key=***&a=2" {
		t.Errorf("%+v", e)
	}
	gw.do("GET", "/k/items/2?api_key=wrong-secret", "")
	if e := seen.until("the refused call", func(e record.Entry) bool { return e.Path == "/k/items/2" }); e.Status != 401 || e.Refusal != "auth.key_refused" || e.Error != "auth.key_unknown" || e.Query != "api_key=***" || e.Key != "" || e.Attempts != 0 {
		t.Errorf("%+v", e)
	}
	gw.do("GET", "/nothing?api_key=custom-secret-1", "")
	if e := seen.until("the call without an API", func(e record.Entry) bool { return e.Path == "/nothing" }); e.Status != 404 || e.Refusal != "route.no_api" || e.Org != "default" || e.Query != "api_key=***" || !e.NoAPI() {
		t.Errorf("%+v", e)
	}
	gw.do("GET", "/orders/..%5cetc?secret=1", "")
	if e := seen.until("the ambiguous path", func(e record.Entry) bool { return e.Status == 400 }); e.Refusal == "" || e.Query != "secret=***" {
		t.Errorf("%+v", e)
	}
	raw(t, gw, "BROKEN\r\n\r\n")
	if e := seen.until("the malformed request", func(e record.Entry) bool { return e.Refusal == "request.malformed" }); e.Status != 400 || e.Client != "127.0.0.1" || e.RequestID == "" {
		t.Errorf("%+v", e)
	}
	for _, e := range seen.list {
		if text := fmt.Sprintf("%+v", e.Record); strings.Contains(text, "secret-1") || strings.Contains(text, "s3cret") || strings.Contains(text, "1234") {
			t.Errorf("a secret is recorded: %s", text)
		}
	}
	testenv.Eventually(t, 5*time.Second, func() bool {
		status, detail := gw.component("records")
		return status == "pass" && strings.HasSuffix(detail, "records shipped")
	})
	gw.exports(`sluice_gateway_dropped_records_total{reason="busy"} 0`, "sluice_gateway_spool_redis_up 1", "sluice_gateway_spool_disk_bytes 0", "sluice_gateway_records_total ", "sluice_gateway_sent_records_total ")
}

// raw sends bytes and reads until the gateway closes.
func raw(t *testing.T, gw *running, text string) {
	t.Helper()
	c, err := net.Dial("tcp", gw.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, text)
	_ = c.(*net.TCPConn).CloseWrite()
	_, _ = io.ReadAll(c)
}

// component is what /hello says of one.
func (r *running) component(name string) (status, detail string) {
	resp, err := http.Get("http://" + r.AdminAddr() + "/hello")
	if err != nil {
		r.t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = resp.Body.Close() }()
	var doc struct {
		Components map[string]struct{ Status, Detail string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		r.t.Fatal(err)
	}
	return doc.Components[name].Status, doc.Components[name].Detail
}

func (r *running) exports(lines ...string) {
	r.t.Helper()
	resp, err := http.Get("http://" + r.AdminAddr() + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body)
	for _, want := range lines {
		if !strings.Contains(string(text), want) {
			r.t.Errorf("metrics lack %s", want)
		}
	}
}

func TestAClientThatWentAwayIsRecorded(t *testing.T) {
	b := newBench(t)
	b.config.Records.FlushEvery = 20 * time.Millisecond
	b.define("a", `{"auth":{"open":true}}`)
	b.publish(b.keys)
	gw := b.start()
	gw.until(5*time.Second, "/a/x", "", 200)
	c, err := net.Dial("tcp", gw.Addr())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "GET /a/held HTTP/1.1\r\nHost: h\r\n\r\n")
	<-b.slow
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	e := b.tail().until("the cut call", func(e record.Entry) bool { return e.Path == "/a/held" })
	if e.Status != 499 || !e.Flags.Has(record.Aborted) || !e.Failed() {
		t.Errorf("%+v", e)
	}
}

// TestAStopShipsEveryRecord also of batches that are not due yet.
func TestAStopShipsEveryRecord(t *testing.T) {
	b := newBench(t)
	b.config.Records.FlushEvery = time.Minute
	b.define("a", `{"auth":{"open":true},"record":{"only":"errors"}}`)
	b.publish(b.keys)
	gw := b.start()
	gw.until(5*time.Second, "/a/x", "", 200)
	before := gw.engines.work().requests
	for range 30 {
		gw.get("/a/x", "")
	}
	gw.end()
	seen := b.tail()
	ctx := testenv.Context(t, 10*time.Second)
	testenv.Eventually(t, 10*time.Second, func() bool { seen.read(ctx); return uint64(len(seen.list)) >= before+30 })
	ids := map[string]bool{}
	counted := 0
	for _, e := range seen.list {
		ids[e.ID] = true
		if e.API == "a" && e.Flags.Has(record.CountOnly) {
			counted++
		}
	}
	if uint64(len(seen.list)) != before+30 || len(ids) != len(seen.list) || counted < 30 {
		t.Errorf("%d records of %d requests, %d of them counted only", len(seen.list), before+30, counted)
	}
}

func TestRecordsOfAStopWithoutRedisComeWithTheNextStart(t *testing.T) {
	b := newBench(t)
	b.config.Records.FlushEvery = 20 * time.Millisecond
	b.define("a", `{"auth":{"open":true}}`)
	b.publish(b.keys)
	gw := b.start()
	gw.until(5*time.Second, "/a/x", "", 200)
	b.tail().until("a record", func(e record.Entry) bool { return e.API == "a" })
	b.redis.Stop()
	for i := range 20 {
		gw.get(fmt.Sprintf("/a/away/%d", i), "")
	}
	began := time.Now()
	gw.end()
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("the stop took %v", took)
	}
	b.redis.Start(true)
	gw = b.start()
	seen := b.tail()
	for i := range 20 {
		seen.until("a record of before", func(e record.Entry) bool { return e.Path == fmt.Sprintf("/a/away/%d", i) })
	}
	paths := map[string]int{}
	for _, e := range seen.list {
		if strings.HasPrefix(e.Path, "/a/away/") && strings.HasPrefix(e.ID, gw.records.start("")) {
			t.Errorf("%s has the id of the new start", e.Path)
		}
		if paths[e.Path]++; paths[e.Path] > 1 && strings.HasPrefix(e.Path, "/a/away/") {
			t.Errorf("%s came twice", e.Path)
		}
	}
}

func TestTwoGatewaysDoNotShareAFolderOfRecords(t *testing.T) {
	b := newBench(t)
	dir := filepath.Join(t.TempDir(), "spool")
	b.config.Records.Dir = dir
	b.start()
	other := newBench(t)
	other.config.Records.Dir = dir
	_, err := New(t.Context(), other.config, logs.New(testWriter{t}, logs.Default()))
	if err == nil || !strings.Contains(err.Error(), dir+" is in use by another process") || !strings.Contains(err.Error(), "records.dir") {
		t.Errorf("%v", err)
	}
}

func TestWithoutRecordsNothingIsKept(t *testing.T) {
	b := newBench(t)
	b.config.Records.Enabled = false
	b.define("a", `{"auth":{"open":true},"record":{"bodies":{"until":"2126-01-01T00:00:00Z"}}}`)
	b.publish(b.keys)
	gw := b.start()
	gw.until(5*time.Second, "/a/x", "", 200)
	gw.end()
	if _, err := os.Stat(filepath.Join(b.config.Data, "spool")); !os.IsNotExist(err) {
		t.Errorf("there is a folder: %v", err)
	}
	n, err := b.redis.Client().Exists(testenv.Context(t, 5*time.Second), spool.StreamKey(0), spool.StreamKey(1), spool.StreamKey(2), spool.StreamKey(3)).Result()
	if err != nil || n != 0 {
		t.Errorf("%d streams, %v", n, err)
	}
}

func TestHashedAddressesAreKeyed(t *testing.T) {
	one, other := newBench(t), newBench(t)
	a, err := addressHash(one.keys)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := addressHash(one.keys.Node())
	strange, _ := addressHash(other.keys)
	ip := []byte{192, 0, 2, 1}
	if a(ip) != again(ip) || a(ip) == strange(ip) || a(ip) == a([]byte{192, 0, 2, 2}) || len(a(ip)) != 24 {
		t.Error(a(ip), again(ip), strange(ip))
	}
}

func TestRecordsSettings(t *testing.T) {
	for want, change := range map[string]func(*Records){
		"shards": func(r *Records) { r.Shards = 17 }, "budget": func(r *Records) { r.Budget = 10 }, "disk_budget": func(r *Records) { r.DiskBudget = 0 },
		"flush_every": func(r *Records) { r.FlushEvery = 0 }, "client_address": func(r *Records) { r.ClientAddress = "half" }, "": func(r *Records) { r.Budget = config.Size(1 << 20) },
	} {
		r := Default().Records
		change(&r)
		if err := r.Validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
