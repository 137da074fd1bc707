alter view a reset (security_invoker);
