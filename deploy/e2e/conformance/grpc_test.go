package conformance

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/interop"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/orca"
	"google.golang.org/grpc/status"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
)

// broken is how a case of gRPC's own tests ends that does not pass: they know only the end of the
// process for that.
type broken string

// endless is a log that does not end the process.
type endless struct{ grpclog.LoggerV2 }

func (endless) Fatal(args ...any)             { panic(broken(fmt.Sprint(args...))) }
func (endless) Fatalln(args ...any)           { panic(broken(fmt.Sprintln(args...))) }
func (endless) Fatalf(f string, args ...any)  { panic(broken(fmt.Sprintf(f, args...))) }
func (endless) FatalDepth(_ int, args ...any) { panic(broken(fmt.Sprint(args...))) }
func (endless) InfoDepth(_ int, _ ...any)     {}
func (endless) WarningDepth(_ int, _ ...any)  {}
func (endless) ErrorDepth(_ int, _ ...any)    {}

// grpcOrigin serves gRPC's own test service, over TLS where there is a configuration for it.
func grpcOrigin(t *testing.T, c *tls.Config) (addr string) {
	t.Helper()
	l := testenv.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	o := []grpc.ServerOption{orca.CallMetricsServerOption(nil)}
	if c != nil {
		o = append(o, grpc.Creds(credentials.NewTLS(c)))
	}
	s := grpc.NewServer(o...)
	pb.RegisterTestServiceServer(s, interop.NewTestServer(interop.NewTestServerOptions{MetricsRecorder: orca.NewServerMetricsRecorder()}))
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

// route is one way through a gateway: a listener and an API.
type route struct {
	addr, host string
	tls        *tls.Config
}

// channel is a gRPC client that goes that way.
func (r route) channel(t *testing.T, more ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	cred := insecure.NewCredentials()
	if r.tls != nil {
		cred = credentials.NewTLS(r.tls)
	}
	c := testenv.Must(grpc.NewClient("passthrough:///"+r.addr, append(more, grpc.WithTransportCredentials(cred), grpc.WithAuthority(r.host))...))(t)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// interopCases are those of gRPC's test client that need no credentials of a cloud, and some of them
// compressed. Left out are orca_oob, which wants a server with a reporting interval that only gRPC's own
// packages can set (to a gateway it is one more stream from the server), and pick_first_unary, which
// wants a server that tells its id: that of gRPC for Go does not.
func interopCases() map[string]func(ctx context.Context, t *testing.T, r route) {
	type call = func(ctx context.Context, tc pb.TestServiceClient, args ...grpc.CallOption)
	with := func(f call, args ...grpc.CallOption) func(context.Context, *testing.T, route) {
		return func(ctx context.Context, t *testing.T, r route) {
			f(ctx, pb.NewTestServiceClient(r.channel(t)), args...)
		}
	}
	zip := grpc.UseCompressor(gzip.Name)
	return map[string]func(context.Context, *testing.T, route){
		"empty_unary":                 with(interop.DoEmptyUnaryCall),
		"large_unary":                 with(interop.DoLargeUnaryCall),
		"large_unary compressed":      with(interop.DoLargeUnaryCall, zip),
		"client_streaming":            with(interop.DoClientStreaming),
		"client_streaming compressed": with(interop.DoClientStreaming, zip),
		"server_streaming":            with(interop.DoServerStreaming),
		"server_streaming compressed": with(interop.DoServerStreaming, zip),
		"ping_pong":                   with(interop.DoPingPong),
		"ping_pong compressed":        with(interop.DoPingPong, zip),
		"empty_stream":                with(interop.DoEmptyStream),
		"timeout_on_sleeping_server":  with(interop.DoTimeoutOnSleepingServer),
		"cancel_after_begin":          with(interop.DoCancelAfterBegin),
		"cancel_after_first_response": with(interop.DoCancelAfterFirstResponse),
		"status_code_and_message":     with(interop.DoStatusCodeAndMessage),
		"special_status_message":      with(interop.DoSpecialStatusMessage),
		"custom_metadata":             with(interop.DoCustomMetadata),
		"unimplemented_method": func(ctx context.Context, t *testing.T, r route) {
			interop.DoUnimplementedMethod(ctx, r.channel(t))
		},
		"unimplemented_service": func(ctx context.Context, t *testing.T, r route) {
			interop.DoUnimplementedService(ctx, pb.NewUnimplementedServiceClient(r.channel(t)))
		},
		"orca_per_rpc": func(ctx context.Context, t *testing.T, r route) {
			lb := grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}`)
			interop.DoORCAPerRPCTest(ctx, pb.NewTestServiceClient(r.channel(t, lb)))
		},
		"rpc_soak": func(ctx context.Context, t *testing.T, r route) {
			one := r.channel(t)
			interop.DoSoakTest(ctx, soak(r, func() (*grpc.ClientConn, func()) { return one, func() {} }))
		},
		"channel_soak": func(ctx context.Context, t *testing.T, r route) {
			interop.DoSoakTest(ctx, soak(r, func() (*grpc.ClientConn, func()) {
				c := r.channel(t)
				return c, func() { _ = c.Close() }
			}))
		},
	}
}

// soak is as short as it may be in CI. A failure is counted, and ends the case in its own goroutine.
func soak(r route, channel func() (*grpc.ClientConn, func())) interop.SoakTestConfig {
	return interop.SoakTestConfig{
		RequestSize: 271828, ResponseSize: 314159, PerIterationMaxAcceptableLatency: 10 * time.Second, OverallTimeout: 20 * time.Second,
		ServerAddr: r.addr, NumWorkers: 2, Iterations: 10, ChannelForTest: channel,
	}
}

// grpcWorld is a gateway with both kinds of listener before both kinds of origin.
func grpcWorld(t *testing.T) (p *platform.Platform, listeners map[string]route) {
	t.Helper()
	grpclog.SetLoggerV2(endless{grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard)})
	ca, dir := certstest.NewCA(t, "ca"), t.TempDir()
	ca.Write(dir, "front", certstest.Options{}, "*.grpc.test")
	certstest.Put(t, filepath.Join(dir, "origins.crt"), ca.PEM)
	p = platform.For(t, platform.Options{Gateways: []string{}})
	g := testenv.Must(p.AddGatewayWith(t.Context(), "default", map[string]string{
		"SLUICE_GATEWAY_LISTEN_H2C": "true", "SLUICE_GATEWAY_CERTIFICATES_DIR": dir,
		"SLUICE_GATEWAY_LISTENERS": `[{name: secure, address: "127.0.0.1:0", tls: true}]`,
	}))(t)
	secure := func(set map[string]any, http string) map[string]any {
		addr := grpcOrigin(t, ca.Server(certstest.Options{}, "origin.test"))
		set["targets"], set["http"], set["tls"] = targets("https://"+addr), http, map[string]any{"ca": "origins", "serverName": "origin.test"}
		return set
	}
	var newest int64
	for name, up := range map[string]map[string]any{
		"h2c":  {"targets": targets("http://" + grpcOrigin(t, nil)), "http": "h2c"},
		"auto": secure(map[string]any{}, "auto"),
		"two":  secure(map[string]any{}, "2"),
		"down": {"targets": targets("http://127.0.0.1:1"), "http": "h2c"},
		"slow": {"targets": targets("http://" + grpcOrigin(t, nil)), "http": "h2c", "timeouts": map[string]string{"total": "200ms"}},
		"keys": {"targets": targets("http://" + grpcOrigin(t, nil)), "http": "h2c"},
	} {
		def := openAPI(name, "/", up)
		def["listen"].(map[string]any)["domains"] = []string{name + ".grpc.test"}
		if name == "keys" {
			def["filters"] = map[string]any{"auth": map[string]any{"any": []any{map[string]any{"key": map[string]any{}}}}}
		}
		newest = max(newest, testenv.Must(p.Client(0).Create(t.Context(), "apis", def))(t).Revision)
	}
	p.Live(t, newest, 10*time.Second)
	return p, map[string]route{"h2c": {addr: g.Addr()}, "tls": {addr: g.Listener("secure"), tls: ca.Client("", "h2")}}
}

func targets(urls ...string) (all []any) {
	for _, u := range urls {
		all = append(all, map[string]string{"url": u})
	}
	return all
}

// to is a way to one of the APIs.
func (r route) to(api string) route {
	r.host = api + ".grpc.test"
	if r.tls != nil {
		r.tls = r.tls.Clone()
		r.tls.ServerName = r.host
	}
	return r
}

func TestGRPCInterop(t *testing.T) {
	_, listeners := grpcWorld(t)
	for from, r := range listeners {
		for _, api := range []string{"h2c", "auto", "two"} {
			for name, f := range interopCases() {
				t.Run(from+" to "+api+"/"+name, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
					defer cancel()
					defer func() {
						switch v := recover().(type) {
						case nil:
						case broken:
							t.Error(string(v))
						default:
							panic(v)
						}
					}()
					f(ctx, t, r.to(api))
				})
			}
		}
	}
}

// What the gateway refuses has its reason as gRPC has it, and its status in the records.
func TestARefusedCallHasAStatusOfGRPC(t *testing.T) {
	p, listeners := grpcWorld(t)
	sleepy := &pb.StreamingOutputCallRequest{ResponseParameters: []*pb.ResponseParameters{{Size: 1, IntervalUs: 5e6}}}
	for from, r := range listeners {
		for _, c := range []struct {
			api  string
			want codes.Code
			text string
		}{
			{"keys", codes.Unauthenticated, "(auth.missing)"},
			{"down", codes.Unavailable, "(upstream.unreachable)"},
			{"none", codes.Unimplemented, "(route.no_api)"},
			{"slow", codes.DeadlineExceeded, "(upstream.timeout)"},
		} {
			t.Run(from+" to "+c.api, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				var head metadata.MD
				stream, err := pb.NewTestServiceClient(r.to(c.api).channel(t)).StreamingOutputCall(ctx, sleepy)
				if err == nil {
					_, err = stream.Recv()
					head, _ = stream.Header()
				}
				if s := status.Convert(err); s.Code() != c.want || !strings.Contains(s.Message(), c.text) {
					t.Errorf("%v, %v", err, head)
				}
			})
		}
	}
	m := string(testenv.Must(p.Gateways[0].Ask(t.Context(), "/metrics"))(t))
	for _, code := range []string{"401", "404", "502", "504"} {
		if !strings.Contains(m, `status="`+code+`"`) {
			t.Errorf("no %s was counted", code)
		}
	}
}
