# Pushes that were acknowledged just before the power fails.
eventually ready
app cut
for n in 1 2 3; do push cut v$n; done
for n in 1 2 3; do echo "acknowledged: v$n $(git -C cut rev-parse v$n) $(api images/cut/versions/v$n | grep -o 'sha256:[0-9a-f]*' | head -n 1)"; done
pushes slow cut
