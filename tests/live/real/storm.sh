# A signal-heavy program behaves as without usher: a 200 us timer around opens, mkdirs, renames.
. "${0%/*}/common.sh"
mkdir -p "$DIR/work"
cat >"$DIR/storm.policy" <<POLICY
syntax 1;
files { default allow; cover all; deny all $DIR/other/; }
POLICY
for threads in 1 3; do
	"$USHER" run -p "$DIR/storm.policy" --quiet -- "$TOOLS/storm" "$DIR/work" 1500 $threads >"$DIR/out" 2>"$DIR/storm.err" ||
		fail "$threads threads: $(cat "$DIR/out" "$DIR/storm.err")"
done
[ -z "$(ls -A "$DIR/work")" ] || fail "left behind: $(ls -A "$DIR/work")"
exit 0
