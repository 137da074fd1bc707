reset role; alter event trigger a disable; alter event trigger b rename to bb; drop event trigger c;
