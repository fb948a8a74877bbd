package serve

import (
	"testing"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
)

func TestAGRPCCallIsToldByItsMediaType(t *testing.T) {
	for _, c := range []struct {
		kind  string
		major int
		want  bool
	}{
		{"application/grpc", 2, true},
		{"application/grpc+proto", 2, true},
		{"Application/GRPC; charset=x", 2, true},
		{"application/grpc", 1, false},
		{"application/grpc-web", 2, false},
		{"application/grpcx", 2, false},
		{"application/grp", 2, false},
		{"application/json", 2, false},
		{"", 2, false},
	} {
		r := message.Request{Major: c.major}
		if c.kind != "" {
			r.Header.Add("Content-Type", c.kind)
		}
		if got := grpcCall(&r); got != c.want {
			t.Errorf("%q over HTTP/%d: %v", c.kind, c.major, got)
		}
	}
}

func TestARefusalAsGRPCHasIt(t *testing.T) {
	for _, c := range []struct {
		status        int
		code, message string
	}{
		{400, "13", "no (x.y)"},
		{401, "16", "no (x.y)"},
		{403, "7", "no (x.y)"},
		{404, "12", "no (x.y)"},
		{405, "12", "no (x.y)"},
		{408, "4", "no (x.y)"},
		{409, "2", "no (x.y)"},
		{413, "8", "no (x.y)"},
		{429, "8", "no (x.y)"},
		{500, "13", "no (x.y)"},
		{502, "14", "no (x.y)"},
		{503, "14", "no (x.y)"},
		{504, "4", "no (x.y)"},
	} {
		resp := grpcAnswer(filter.Refuse(c.status, "x.y", "no"))
		if got := resp.Header.Get("Grpc-Status"); resp.Status != 200 || got != c.code || resp.Header.Get("Grpc-Message") != c.message || resp.ContentLength != 0 {
			t.Errorf("%d is %s: %+v", c.status, got, resp)
		}
	}
	if got := grpcMessage("100 %, 안\n~"); got != "100 %25, %EC%95%88%0A~" {
		t.Error(got)
	}
}
