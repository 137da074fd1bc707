alter index state rename to t_state;
