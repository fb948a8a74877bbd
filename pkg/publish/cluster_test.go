package publish

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// clusterOfOne starts a redis-server in cluster mode that has all slots: it
// refuses calls across slots as a large cluster does.
func clusterOfOne(t *testing.T) redis.UniversalClient {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		testenv.Missing(t, "redis", "install redis-server, version 6.2 or newer")
	}
	// A free port may be taken before the server binds it: try again.
	var one *redis.Client
	var addr string
	for range 5 {
		if addr, one = startClusterNode(t, path); one != nil {
			break
		}
	}
	if one == nil {
		t.Fatal("redis-server does not start in cluster mode")
	}
	if err := one.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 10*time.Second, func() bool {
		info, err := one.ClusterInfo(t.Context()).Result()
		return err == nil && strings.Contains(info, "cluster_state:ok")
	})
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{addr}})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// startClusterNode returns nil if the server ended at once.
func startClusterNode(t *testing.T, path string) (string, *redis.Client) {
	t.Helper()
	var addr, ports [2]string
	var listeners []net.Listener
	for i := range addr { // both at once, so that they differ: data, and the bus between nodes
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
		addr[i] = l.Addr().String()
		if _, ports[i], err = net.SplitHostPort(addr[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range listeners {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), path, "--bind", "127.0.0.1", "--port", ports[0], "--dir", t.TempDir(), "--save", "",
		"--cluster-enabled", "yes", "--cluster-port", ports[1], "--loglevel", "warning")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	one := redis.NewClient(&redis.Options{Addr: addr[0], MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = one.Close() })
	up := false
	testenv.Eventually(t, 10*time.Second, func() bool {
		select {
		case <-ended:
			return true
		default:
			up = one.Ping(t.Context()).Err() == nil
			return up
		}
	})
	if !up {
		return "", nil
	}
	return addr[0], one
}

func TestPublishingWorksOnACluster(t *testing.T) {
	rdb, k := clusterOfOne(t), newKeys(t)
	w := newWorld(t, rdb, k, "a", "b")
	for i := range 300 {
		w.set(fmt.Sprint("api-", i), fmt.Sprint("text ", i))
	}
	w.publish(1, 1)
	w.set("api-1", "changed")
	w.publish(1, 2)
	for _, g := range []string{"a", "b"} {
		if h, got := fetch(t, rdb, k, g); h.Generation != 2 || len(got) != 300 || got["api-1"] != "changed" {
			t.Errorf("group %s: %d items at %+v", g, len(got), h)
		}
	}
	if missing, err := w.w.Missing(t.Context(), []string{hexSum([]byte("changed")), hexSum([]byte("text 1"))}); err != nil || len(missing) != 1 {
		t.Errorf("missing %v, %v", missing, err)
	}
	if strays, err := w.w.Strays(t.Context(), w.trees[0].Names); err != nil || len(strays) == 0 {
		t.Errorf("the parts are strays here: %d, %v", len(strays), err)
	}
}
