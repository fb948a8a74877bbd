package bus_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/bus"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

func someToken() bus.JoinToken {
	return bus.JoinToken{
		Role: bus.JoinPump, Expires: time.Unix(1_800_000_000, 0), Keys: [8]byte{1, 2, 3},
		Redis: bus.RedisAt{Addresses: []string{"a:1", "b:2"}, MasterName: "m", TLS: true, ServerName: "redis"},
	}
}

func TestDamagedTokensAreToldBeforeAnythingIsAsked(t *testing.T) {
	whole := someToken().String()
	if strings.ContainsFunc(whole, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", r)
	}) {
		t.Errorf("%s needs quotes in a shell", whole)
	}
	if got, err := bus.ParseJoinToken(whole); err != nil || got.String() != whole || got.Role != bus.JoinPump {
		t.Fatalf("%+v %v", got, err)
	}
	bad := []string{"", "slj_", "x" + whole, whole + "A", whole + whole, whole[:30] + "\n" + whole[30:], whole[:20] + " " + whole[20:], whole + strings.Repeat("A", bus.MaxToken), strings.ToUpper(whole)}
	for i := range whole {
		bad = append(bad, whole[:i]) // truncated
		c := byte('A')
		if whole[i] == c {
			c = 'B'
		}
		bad = append(bad, whole[:i]+string(c)+whole[i+1:]) // one character changed
	}
	for _, text := range bad {
		if _, err := bus.ParseJoinToken(text); !fault.Is(err, "join.malformed") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzJoinToken(f *testing.F) {
	whole := someToken().String()
	f.Add(whole)
	f.Add(bus.JoinToken{Role: bus.JoinGateway}.String())
	f.Add(whole[:len(whole)-3])
	f.Add("slj_AQE")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := bus.ParseJoinToken(text)
		if err != nil {
			if !fault.Is(err, "join.malformed") {
				t.Fatal(err)
			}
			return
		}
		if again := token.String(); again != strings.TrimSpace(text) {
			t.Fatalf("%q has another text too: %q", text, again)
		}
	})
}

// FuzzJoinTokenBody gives the parser bodies with a right checksum, which random texts never have.
func FuzzJoinTokenBody(f *testing.F) {
	f.Add("a:1", "", 0, int64(0), false)
	f.Add("\x00\xff\n\"", "\u2028<>&", -3, int64(-62135596801), true)
	f.Fuzz(func(t *testing.T, address, master string, database int, expires int64, on bool) {
		address, master = strings.ToValidUTF8(address, "?"), strings.ToValidUTF8(master, "?") // as YAML demands
		token := bus.JoinToken{
			Role: bus.JoinDashboard, Expires: time.Unix(expires, 0),
			Redis: bus.RedisAt{Addresses: []string{address}, MasterName: master, Database: database, TLS: on, Cluster: on},
		}
		text := token.String()
		got, err := bus.ParseJoinToken(text)
		if err != nil {
			if len(text) <= bus.MaxToken {
				t.Fatal(err)
			}
			return
		}
		if got.Expires.Unix() != expires || got.Redis.Database != database || got.String() != text {
			t.Fatalf("%+v became %+v", token, got)
		}
	})
}
