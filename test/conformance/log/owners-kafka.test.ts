import { ownerConformance } from './owners.ts';

ownerConformance('kafka');
