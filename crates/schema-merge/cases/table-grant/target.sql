grant trigger on notes to authenticated;
