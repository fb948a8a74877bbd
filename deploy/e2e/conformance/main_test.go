package conformance

import (
	"os"
	"testing"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
)

func TestMain(m *testing.M) { os.Exit(platform.Main(m)) }
