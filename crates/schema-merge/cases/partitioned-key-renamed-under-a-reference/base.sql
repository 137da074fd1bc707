create table wholes (kind int not null, primary key (kind)) partition by range (kind);
create table aparts partition of wholes default;
create table areferences (tags text, ref bigint references wholes on delete cascade);
