module github.com/sluice-gateway/sluice/deploy/e2e

go 1.26
