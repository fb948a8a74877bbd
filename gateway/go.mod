module github.com/sluice-gateway/sluice/gateway

go 1.26

require github.com/sluice-gateway/sluice/pkg v0.0.0

replace github.com/sluice-gateway/sluice/pkg => ../pkg
