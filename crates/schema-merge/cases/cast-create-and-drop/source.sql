create cast (pair as text) with function to_text(pair) as assignment; drop cast (other as int); create cast (pair as other) with inout; comment on cast (pair as text) is 'c';
