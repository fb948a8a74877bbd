package httpapi

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
)

func TestTheObservedRouteIsTheRoutesOwnPathBehindAnotherRouter(t *testing.T) {
	var got string
	a := &api{Options: Options{
		Log:     slog.New(slog.DiscardHandler),
		Observe: func(_, path string, _ int, _ time.Duration) { got = path },
	}}
	inner := chi.NewRouter()
	inner.Use(a.envelope)
	inner.Get(Base+"/apis/{id}", func(http.ResponseWriter, *http.Request) {})
	outer := chi.NewRouter()
	outer.Handle(Base+"/*", inner)
	for path, want := range map[string]string{Base + "/apis/a": Base + "/apis/{id}", Base + "/nothing": "none"} {
		outer.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
		if got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}
