-- Where does each training row come from: trajectory, parent, verdict, model and problem?
FROM lineage ORDER BY round, row_id;
