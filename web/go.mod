module github.com/sluice-gateway/sluice/web

go 1.26
