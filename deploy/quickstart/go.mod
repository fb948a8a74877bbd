module github.com/sluice-gateway/sluice/deploy/quickstart

go 1.26.0

require (
	github.com/alicebob/miniredis/v2 v2.40.0
	github.com/sluice-gateway/sluice/pkg v0.0.0
	github.com/spf13/pflag v1.0.10
)

require github.com/yuin/gopher-lua v1.1.1 // indirect

replace github.com/sluice-gateway/sluice/pkg => ../../pkg
